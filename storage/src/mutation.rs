//! Deliberate bugs that the simulator must find, or it proves nothing.
//!
//! A line that guards something asks here whether to stop guarding. The answer is `false` at compile time unless the
//! feature `mutations` is on, which only the whole-system tests turn on; then one bug at a time can be planted, by its
//! name, in what the current thread simulates. The tests crate lists the bugs and how soon each must be found.

#[cfg(feature = "mutations")]
std::thread_local! {
    static PLANTED: std::cell::Cell<&'static str> = const { std::cell::Cell::new("") };
}

/// Whether this bug is planted in what the current thread simulates.
#[cfg(feature = "mutations")]
pub fn planted(name: &str) -> bool {
    PLANTED.get() == name
}

/// Whether this bug is planted: never, in a build that is not for tests.
#[cfg(not(feature = "mutations"))]
#[inline]
pub const fn planted(_: &str) -> bool {
    false
}

/// Plants a bug in what the current thread simulates from now on; the empty name plants none.
#[cfg(feature = "mutations")]
pub fn plant(name: &'static str) {
    PLANTED.set(name);
}
