# SPDX-License-Identifier: BSD-3-Clause
"""What is checked: configurations of the models, and mutations that must be found."""

# name: (model, macros, liveness instead of safety)
CONFIGURATIONS = {
    "base": ("revocation.pml", "BASE CALL", False),
    "base-port-restart": ("revocation.pml", "BASE PORT_RESTART", False),
    "base-trust": ("revocation.pml", "BASE TRUST PORT_RESTART", False),
    "enable-three": ("revocation.pml", "ENABLE NBUF=3 LEND_MAX=1", False),
    "enable": ("revocation.pml", "ENABLE", False),
    "enable-top-up": ("revocation.pml", "ENABLE TOP_UP LEND_MAX=1", False),
    "memory": ("revocation.pml", "MEM", False),
    "memory-reap": ("revocation.pml", "MEM REAP LEND_MAX=1", False),
    "new-guest": ("revocation.pml", "NEW_GUEST", False),
    "missteered": ("revocation.pml", "BASE MISSTEERED LEND_MAX=1", False),
    "uplink": ("revocation.pml", "BASE UPLINK LEND_MAX=1", False),
    "port": ("revocation.pml", "BASE PORT LEND_MAX=1", False),
    "close": ("revocation.pml", "BASE CLOSE REAP LEND_MAX=1", False),
    "answered-base": ("revocation.pml", "BASE LEND_MAX=1", True),
    "answered-enable": ("revocation.pml", "ENABLE PORT_RESTART LEND_MAX=1", True),
    "answered-close": ("revocation.pml", "CALL CLOSE REAP LEND_MAX=1", True),
    "snapshot": ("snapshot.pml", "", False),
}

# macro of the mutation: (configuration that finds it, part of what spin says then)
MUTATIONS = {
    "MUT_REPLY_FIRST": ("base", "replied"),
    "MUT_GIVE_BACK_FIRST": ("base", "at["),
    "MUT_NO_FLUSH": ("base", "at["),
    "MUT_NO_GATE": ("base", "at["),
    "MUT_NO_SENDER_GATE": ("base", "state!=0"),
    "MUT_NO_MEMBARRIER": ("base", "state!=0"),
    "MUT_STOP_NO_DRAIN": ("base", "state=="),
    "MUT_STOP_KEEPS": ("base", "at["),
    "MUT_PUBLISH_TWICE": ("base", "owner["),
    "LATE_IS_LOST": ("base", "==0"),
    "MUT_ACK_FIRST": ("enable", "acknowledged"),
    "MUT_UNMAP_AT_ONCE": ("memory", "mapped["),
    "MUT_MEM_BEFORE_DMA": ("memory", "dma["),
    "MUT_CLOSE_KEEPS_GUEST": ("close", "mapped["),
    "MUT_BLOCKING_CALL": ("answered-enable", "acceptance cycle"),
    "MUT_UNREGISTER_LOCKED": ("answered-close", "acceptance cycle"),
    "MUT_REF_DYING": ("snapshot", "freed"),
    "MUT_SKIP_DEAD": ("snapshot", "dma"),
}
