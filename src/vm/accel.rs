//! KVM or TCG, decided by trying.
