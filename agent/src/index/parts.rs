//! The parts of the index on disk: `STATE/parts/00000001`, `…2`, the last one open.

use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tantivy::Index;

use super::directory::{self, Access, Files};
use super::fields;
use super::ids::Ids;
use super::ledger::Ledger;
use super::row_writer::RowsPlugin;
use super::shapes::ShapesPlugin;
use super::tokens::Aside;

pub fn folder(state: &Path) -> PathBuf {
    state.join("parts")
}

pub fn path(state: &Path, number: u64) -> PathBuf {
    folder(state).join(format!("{number:08}"))
}

/// Returns the numbers of all parts, oldest first.
pub fn list(state: &Path) -> Result<Vec<u64>> {
    let folder = folder(state);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut numbers: Vec<u64> =
        entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// Opens a part that exists.
pub fn open(state: &Path, number: u64, access: Access) -> Result<Index> {
    let path = path(state, number);
    let opened = Files::open(&path, access).map_err(tantivy::TantivyError::from).and_then(Index::open);
    let mut index = opened.with_context(|| format!("cannot open {}", path.display()))?;
    if index.schema() != fields::schema().0 {
        bail!(
            "{} was written by another version of Medic; export it with that version, or choose another --state",
            path.display()
        );
    }
    let aside = Aside::default();
    fields::register(&index, aside.clone());
    index.register_plugin(Arc::new(Ids::new(aside.clone())));
    index.register_plugin(Arc::new(ShapesPlugin::new(aside)));
    index.register_plugin(Arc::new(RowsPlugin));
    Ok(index)
}

/// Creates a part.
pub fn create(state: &Path, number: u64) -> Result<Index> {
    let path = path(state, number);
    directory::create_folder(&path).with_context(|| format!("cannot create {}", path.display()))?;
    let aside = Aside::default();
    let builder = Index::builder()
        .schema(fields::schema().0)
        .settings(fields::settings())
        .register_plugin(Arc::new(Ids::new(aside.clone())))
        .register_plugin(Arc::new(ShapesPlugin::new(aside.clone())))
        .register_plugin(Arc::new(RowsPlugin));
    let files = Files::open(&path, Access::Write).map_err(tantivy::TantivyError::from);
    let created = files.and_then(|files| builder.open_or_create(files));
    let index = created.with_context(|| format!("cannot create {}", path.display()))?;
    fields::register(&index, aside);
    Ok(index)
}

/// Returns the ledger of the last commit of a part; `None` where nothing was committed yet.
pub fn ledger(index: &Index) -> Result<Option<Ledger>> {
    let Some(payload) = index.load_metas()?.payload else { return Ok(None) };
    Ok(Some(serde_json::from_str(&payload).context("the ledger of the last commit cannot be read")?))
}

/// Returns how many bytes a part takes.
pub fn size(state: &Path, number: u64) -> u64 {
    let Ok(entries) = fs::read_dir(path(state, number)) else { return 0 };
    entries.filter_map(|entry| entry.ok()?.metadata().ok()).map(|data| data.len()).sum()
}

/// Removes a part. It loses its name first: what is left of it where Medic is stopped in between is no part.
pub fn remove(state: &Path, number: u64) -> Result<()> {
    let path = path(state, number);
    let removed = path.with_extension(REMOVED);
    let outcome = fs::rename(&path, &removed).and_then(|()| fs::remove_dir_all(&removed));
    outcome.with_context(|| format!("cannot remove {}", path.display()))
}

/// Removes what was left of parts that were being removed when Medic was stopped.
pub fn clean(state: &Path) -> Result<()> {
    let folder = folder(state);
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for left in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        if left.extension().is_some_and(|extension| extension == REMOVED) {
            fs::remove_dir_all(&left).with_context(|| format!("cannot remove {}", left.display()))?;
        }
    }
    Ok(())
}

const REMOVED: &str = "removed";
