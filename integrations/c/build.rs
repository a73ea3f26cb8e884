//! Names the shared library as it is installed.

/// Programs look for `libelision.so.N` when they start, N being the version of the binary interface.
const NAME: &str = "libelision.so.1";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,{NAME}");
    }
}
