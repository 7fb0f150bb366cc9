#!/usr/bin/env bash
# Fetches a file by CID from a running server with the unmodified gateway of boxo in Go, which kubo and rainbow are made with and which verifies
# every block: once over raw blocks, once over CARs, each whole and in part, and compares it with what the server gives itself.
#   boxo.sh http://127.0.0.1:7430 CID
# Needs Go and its module proxy; compiling takes some minutes. Everything is kept in a temporary folder.
set -euo pipefail

url=${1:?address of the server} cid=${2:?CID of a file, or CID/path}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat > main.go <<'GO'
// boxo WAY URL PATH [RANGE]: prints what the gateway answers.
package main

import (
	"log"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/ipfs/boxo/gateway"
)

func backendOf(way, url string) (gateway.IPFSBackend, error) {
	if way == "CARs" {
		return gateway.NewRemoteCarBackend([]string{url}, nil)
	}
	return gateway.NewRemoteBlocksBackend([]string{url}, nil)
}

func main() {
	backend, err := backendOf(os.Args[1], os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	config := gateway.Config{DeserializedResponses: true, NoDNSLink: true}
	server := httptest.NewServer(gateway.NewHandler(config, backend))
	defer server.Close()
	request, err := http.NewRequest("GET", server.URL+"/ipfs/"+os.Args[3], nil)
	if err != nil {
		log.Fatal(err)
	}
	if len(os.Args) > 4 {
		request.Header.Set("Range", os.Args[4])
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	if answer.StatusCode != 200 && answer.StatusCode != 206 {
		log.Fatal(answer.Status)
	}
	if _, err := os.Stdout.ReadFrom(answer.Body); err != nil {
		log.Fatal(err)
	}
}
GO
go mod init boxo-client 2> /dev/null
go get github.com/ipfs/boxo@v0.43.0 2> log && go mod tidy 2> log && go build -o client . 2> log || { cat log; exit 1; }

curl -sSf -L -o here.bin "$url/ipfs/$cid"
size=$(stat -c %s here.bin)
failed=0
for way in blocks CARs; do
  for range in '' "bytes=$((size / 3))-$((size / 2))" "bytes=-$((size / 4))"; do
    curl -sSf -L ${range:+-H "Range: $range"} -o part.bin "$url/ipfs/$cid"
    ./client "$way" "$url" "$cid" ${range:+"$range"} > got.bin && cmp part.bin got.bin &&
      echo "ok    boxo over $way${range:+, $range}: $(stat -c %s got.bin) bytes" || { echo "FAIL  boxo over $way${range:+, $range}"; failed=1; }
  done
done
exit "$failed"
