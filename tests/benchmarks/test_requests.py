"""The measuring of requests: what is counted, and how it is summed up."""

from benchmarks import requests

TRACE = b"""\
0024: recv_socket( oob=0, async={handle=0094}, force_async=0 )
0024: recv_socket() = PENDING { wait=0098, options=00000000, nonblocking=1 }
0028: close_handle( handle=0098 )
0028: close_handle() = 0
0024: get_handle_fd( handle=0094 )
0024: *fd* 0094 -> 31
0024: get_handle_fd() = 0 { type=4 }
002c: *killed* exit_code=0
0024: recv_socket( oob=0 )
"""


def test_requests_are_counted_and_replies_are_not():
    names = requests.REQUEST.findall(TRACE)
    assert names == [b"recv_socket", b"close_handle", b"get_handle_fd", b"recv_socket"]


def test_the_sums_and_their_parts():
    counts = {"churn": {"ours": {"ioctl": 2.0, "select": 1.5}, "ours-fresh": {"ioctl": 4.0}}}
    text = requests.markdown(counts)
    assert "| churn | 3.50 | 4.00 |" in text
    assert "| ioctl | 2.00 | 4.00 |" in text
    assert "| select | 1.50 | - |" in text
