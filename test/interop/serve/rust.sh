#!/usr/bin/env bash
# Downloads one repository from a running server with unmodified hf-hub of Rust, 0.5.0 (in one stream, and in parallel ranges) and 1.0.0, and
# compares it with the digests in the server's own list.
#   rust.sh http://127.0.0.1:7430 owner/name [revision]
# Needs cargo, a C compiler, python3 and crates.io; compiling takes some minutes. Everything is kept in a temporary folder.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
url=${1:?address of the server} repo=${2:?owner/name} revision=${3:-main}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 "$here/sums.py" "$url" "$repo" "$revision" > sums

cat > Cargo.toml <<'TOML'
[package]
name = "clients"
version = "0.0.0"
edition = "2021"

[dependencies]
hf-hub-0 = { package = "hf-hub", version = "=0.5.0", default-features = false, features = ["ureq", "tokio"] }
hf-hub-1 = { package = "hf-hub", version = "=1.0.0", default-features = false }
tokio = { version = "1", features = ["macros", "rt-multi-thread"] }
TOML
mkdir src
cat > src/main.rs <<'RUST'
use hf_hub_0::{api, Repo, RepoType};

/// clients WAY REPO REVISION PATH: prints where the file is.
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let [way, repo, revision, path] = [1, 2, 3, 4].map(|at| args[at].clone());
    let old = Repo::with_revision(repo.clone(), RepoType::Model, revision.clone());
    let file = match way.as_str() {
        "stream" => tokio::task::block_in_place(|| {
            api::sync::ApiBuilder::from_env().with_progress(false).build()?.repo(old).get(&path)
        })?,
        "ranges" => {
            let builder = api::tokio::ApiBuilder::from_env().high().with_progress(false);
            builder.build()?.repo(old).get(&path).await?
        }
        _ => {
            let (owner, name) = repo.split_once('/').expect("owner/name");
            let repo = hf_hub_1::HFClient::new()?.model(owner, name);
            repo.snapshot_download().revision(revision).send().await?.join(&path)
        }
    };
    println!("{}", file.display());
    Ok(())
}
RUST
cargo build --quiet

failed=0
while read -r sum path; do
  for way in stream ranges snapshot; do
    # 0.5.0 puts the name into the address as it is; in ranges its HTTP library escapes all but what has a meaning there.
    case "$way" in stream) wrong='[^!-~]|[%?#]' ;; ranges) wrong='[%?#]' ;; *) wrong='^$' ;; esac
    if LC_ALL=C grep -qE "$wrong" <<< "$path"; then echo "skip  hf-hub, $way: $path"; continue; fi
    got=$(HF_HOME="$folder/home-$way" HF_ENDPOINT="$url" target/debug/clients "$way" "$repo" "$revision" "$path" 2> log) &&
      echo "$sum  $got" | sha256sum --quiet -c && echo "ok    hf-hub, $way: $path" || { cat log; echo "FAIL  hf-hub, $way: $path"; failed=1; }
  done
done < sums
exit "$failed"
