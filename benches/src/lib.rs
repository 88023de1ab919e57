//! Corpora, a counting allocator and a table printer shared by the benches.
