//! The commit protocol as models that `stateright` searches to the last state.
//!
//! ```text
//!   registers     one attempt's registers: the product's `step` and `Survey`, in two bytes each
//!   three_phase   a coordinator and its terminators over two to four participants, with or without an arbiter
//!   fast          one round, a gateway that tries a second attempt, a recoverer, registers that are collected
//!   leases        promises up to a granted ID: leaders, grants, floors, a split, a change of voters
//! ```
//! Simulation draws executions; a model visits all of them, within bounds that each chapter names. Nothing is a message
//! queue: a message that was sent may arrive at any time, any number of times or never, and what has been sent follows
//! from what its sender has reached. A process that died is one that takes no step any more.
//!
//! Each model takes a mutant, a rule of the protocol left out; tests check that the search finds what it breaks. Where
//! the product has the same bug to plant ([`quorate_storage::mutation`]), the mutant plants it, so that it is the
//! product's own line that is missed.
//!
//! The models reach beyond the product in one place: it asks a quorum for every read instead of leasing IDs. What is found
//! there is what such code will have to keep to.
//!
//! Where registers are collected, the models found four rules that recovery cannot do without: NONE is not Forgotten
//! (`NoneIsForgotten`), an undecided register is answered by a confirmed leader only (`InquiredUnconfirmed`), Forgotten is
//! answered only once the floor has been raised (`ForgottenTooSoon`), and a refusal looks at the floor last
//! (`RefusedBelowFloor`).

pub mod fast;
pub mod leases;
pub mod registers;
pub mod three_phase;
