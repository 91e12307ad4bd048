//! What runs inside the virtual machine as PID 1, and the wire protocol it speaks with the host.
