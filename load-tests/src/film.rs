//! A large file to be sent.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Result;

/// Writes a file of so many MiB whose content nothing on the way can make smaller; always the same.
pub fn write_film(path: &Path, mib: u32) -> Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut state = 0x5eed_u64;
    for _ in 0..(u64::from(mib) << 20) / 8 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        out.write_all(&(state ^ state >> 29).to_be_bytes())?;
    }
    out.flush()?;
    Ok(())
}
