"""The servers that are measured: ours and its peers, each the way its documentation says."""
