//! How the files of a part are opened: whoever reads writes nothing, and what is written is its owner's alone.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tantivy::Directory;
use tantivy::directory::error::{DeleteError, LockError, OpenDirectoryError, OpenReadError, OpenWriteError};
use tantivy::directory::{
    AntiCallToken, DirectoryLock, FileHandle, Lock, MmapDirectory, TerminatingWrite, WatchCallback,
    WatchHandle, WritePtr,
};

/// What a part is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// No file is written, not even one to lock, so a directory that cannot be written can be read, and a reader that is
    /// another user leaves nothing behind that the writer could not open.
    Read,
    Write,
}

/// The folder of a part.
#[derive(Clone, Debug)]
pub struct Files {
    files: MmapDirectory,
    folder: PathBuf,
    access: Access,
}

impl Files {
    pub fn open(folder: &Path, access: Access) -> Result<Files, OpenDirectoryError> {
        Ok(Files { files: MmapDirectory::open(folder)?, folder: folder.to_owned(), access })
    }

    fn check(&self) -> io::Result<()> {
        match self.access {
            Access::Write => Ok(()),
            Access::Read => Err(io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "it is open for reading")),
        }
    }
}

/// Creates a folder, and those above it, for its owner alone.
pub fn create_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Returns how a file is opened for writing so that it is its owner's alone where it is created.
pub fn own_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}

impl Directory for Files {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        self.files.get_file_handle(path)
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        self.check()
            .map_err(|error| DeleteError::IoError { io_error: Arc::new(error), filepath: path.to_owned() })?;
        self.files.delete(path)
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        self.files.exists(path)
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        let open = || {
            self.check()?;
            own_file().create_new(true).open(self.folder.join(path))
        };
        match open() {
            Ok(file) => Ok(BufWriter::new(Box::new(Written(file)))),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(OpenWriteError::FileAlreadyExists(path.to_owned()))
            }
            Err(error) => Err(OpenWriteError::wrap_io_error(error, path.to_owned())),
        }
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        self.files.atomic_read(path)
    }

    /// What it writes beside the file and then renames is its owner's alone already.
    fn atomic_write(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        self.check()?;
        self.files.atomic_write(path, content)
    }

    fn sync_directory(&self) -> io::Result<()> {
        match self.access {
            Access::Read => Ok(()),
            Access::Write => self.files.sync_directory(),
        }
    }

    fn acquire_lock(&self, lock: &Lock) -> Result<DirectoryLock, LockError> {
        if self.access == Access::Read {
            return Ok(DirectoryLock::from(Box::new(())));
        }
        let file = own_file().create(true).truncate(false).open(self.folder.join(&lock.filepath));
        file.map_err(LockError::wrap_io_error)?;
        self.files.acquire_lock(lock)
    }

    fn watch(&self, callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        self.files.watch(callback)
    }
}

/// A file that is on the disk once it is complete.
struct Written(File);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl TerminatingWrite for Written {
    fn terminate_ref(&mut self, _: AntiCallToken) -> io::Result<()> {
        self.0.sync_data()
    }
}
