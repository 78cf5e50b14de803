#!/bin/sh
# Regenerates the Swift code of the .proto files: needs Debian's protobuf-compiler, and protoc-gen-swift, which
# `swift build -c release --product protoc-gen-swift` makes in a checkout of swift-protobuf.
set -eu
cd "$(dirname "$0")"
protoc --proto_path=proto --swift_out=Generated --swift_opt=Visibility=Public --swift_opt=UseAccessLevelOnImports=true \
  proto/*.proto
