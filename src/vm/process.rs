//! Starting processes, QEMU above all, so that they cannot outlive this one.
//!
//! The kernel is asked to kill the child when its parent dies (`PR_SET_PDEATHSIG`), which also covers `kill -9`.
//! That request is bound to the *thread* that forked, so every start goes through one thread that lives as long as
//! the process. Asking has to happen between fork and exec, which only an `unsafe` hook allows: [`pre_exec`] here is
//! the only use of `unsafe` outside the guest.
//!
//! [`pre_exec`]: std::os::unix::process::CommandExt::pre_exec
#![allow(unsafe_code)]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::{OnceLock, mpsc};

use parking_lot::Mutex;

type Order = (Command, mpsc::SyncSender<io::Result<Child>>);

static SPAWNER: OnceLock<Mutex<mpsc::Sender<Order>>> = OnceLock::new();

/// Starts a command that dies with this process.
///
/// # Errors
/// What the system says to the start.
pub fn spawn_bound(mut command: Command) -> io::Result<Child> {
    let parent = rustix::process::getpid();
    let hook = move || {
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
        // the parent may have died before the request was made
        if rustix::process::getppid() != Some(parent) {
            return Err(io::Error::from(rustix::io::Errno::CHILD));
        }
        Ok(())
    };
    // SAFETY: the hook runs in the forked child before exec. It only makes system calls and compares integers: no
    // allocation, no lock, nothing of another thread's state.
    unsafe {
        command.pre_exec(hook);
    }
    let spawner = SPAWNER.get_or_init(|| {
        let (orders, queue) = mpsc::channel::<Order>();
        std::thread::Builder::new()
            .name("spawner".into())
            .spawn(move || {
                for (mut command, answer) in queue {
                    let _ = answer.send(command.spawn());
                }
            })
            .expect("a thread for starting processes");
        Mutex::new(orders)
    });
    let (answer, result) = mpsc::sync_channel(1);
    let gone = || io::Error::other("the thread that starts processes is gone");
    spawner.lock().send((command, answer)).map_err(|_| gone())?;
    result.recv().map_err(|_| gone())?
}
