//! A port that a program is told to listen on.

use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, getsockname, setsockopt, socket, sockopt};

/// One of 127.0.0.1 that the kernel gives to nobody else while this lives. A program that may bind what is bound, but
/// not listened on (`SO_REUSEADDR`, as sshd and ssh do), can listen on it.
pub struct Port {
    /// Its number.
    pub number: u16,
    _bound: OwnedFd,
}

impl Port {
    /// A free one.
    pub fn new() -> Self {
        let bound = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).expect("a socket");
        setsockopt(&bound, sockopt::ReuseAddr, &true).expect("an option");
        bind(bound.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).expect("a port");
        let number = getsockname::<SockaddrIn>(bound.as_raw_fd()).expect("its number").port();
        Self { number, _bound: bound }
    }
}

impl Default for Port {
    fn default() -> Self {
        Self::new()
    }
}
