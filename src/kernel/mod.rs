//! Kernels: catalogues, getting one (distribution package, local files), and the store.
