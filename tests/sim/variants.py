"""Changes of the engine that the simulator must not mind."""

from tests.sim.mutations import BORROW_FLAGS, Mutant, one

# Other sizes of the same engine, which must do as well.
VARIANTS = (
    Mutant(
        "tiny-batches",
        (
            ("batch.h", "#define BATCH_COMPLETIONS_MAX 128", "#define BATCH_COMPLETIONS_MAX 2"),
            ("batch.h", "#define BATCH_COMPLETIONS_FEW 32", "#define BATCH_COMPLETIONS_FEW 1"),
            ("batch.h", "#define BATCH_EVENTS_MAX      512", "#define BATCH_EVENTS_MAX      3"),
        ),
    ),
    Mutant(
        "tiny-turns",
        (
            ("receive.c", "#define TURN_MESSAGES 32u", "#define TURN_MESSAGES 2u"),
            ("receive.c", "#define TURN_NS (250 * NS_PER_US)", "#define TURN_NS 0"),
        ),
    ),
    one("tiny-slab", "slab.h", "#define SLAB_KEEP_MAX 1024", "#define SLAB_KEEP_MAX 1"),
    one(
        "tiny-pockets",
        "slab.c",
        "#define POCKET_BYTES_MAX (512u * 1024u)",
        "#define POCKET_BYTES_MAX 64u",
        BORROW_FLAGS,
    ),
    Mutant(
        "sends-at-once",
        (("control.c", "#define SEND_AT_ONCE_BYTES 65536u", "#define SEND_AT_ONCE_BYTES 16u"),),
        BORROW_FLAGS,
    ),
    one("tiny-chunks", "table.h", "#define TABLE_CHUNK_SLOTS 64u", "#define TABLE_CHUNK_SLOTS 8u"),
)
