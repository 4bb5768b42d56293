#!/bin/sh
# Generates Go from the protobuf sources into internal/gen. Called by `make gen`.
# protoc comes from Debian (protobuf-compiler); the plugins are built from the
# module proxy at the versions pinned here, apart from the product's go.mod.
set -eu

GO_PLUGIN=v1.36.12     # as google.golang.org/protobuf in go.mod
GRPC_PLUGIN=v1.6.2
PROTOC=3.21.12

root=$(cd "$(dirname "$0")/.." && pwd)
bin="$root/.tools/gen"

if [ "$(protoc --version 2>/dev/null)" != "libprotoc $PROTOC" ]; then
	echo "gen: protoc $PROTOC is needed (apt-get install protobuf-compiler)" >&2
	exit 1
fi
mkdir -p "$bin"
[ "$("$bin/protoc-gen-go" --version 2>/dev/null)" = "protoc-gen-go $GO_PLUGIN" ] ||
	GOBIN="$bin" go install "google.golang.org/protobuf/cmd/protoc-gen-go@$GO_PLUGIN"
[ "$("$bin/protoc-gen-go-grpc" --version 2>/dev/null)" = "protoc-gen-go-grpc ${GRPC_PLUGIN#v}" ] ||
	GOBIN="$bin" go install "google.golang.org/grpc/cmd/protoc-gen-go-grpc@$GRPC_PLUGIN"

cd "$root/proto"
find . -name '*.proto' | LC_ALL=C sort | PATH="$bin:$PATH" xargs protoc -I . \
	--go_out="$root" --go_opt=module=strongroom \
	--go-grpc_out="$root" --go-grpc_opt=module=strongroom
