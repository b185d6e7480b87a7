# The worker as one static binary in an image without a shell. The same sources and the same Go give the same bytes,
# in whatever folder and on whatever day they are built: compare with
#   CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X main.buildVersion=$VERSION -X main.buildRevision=$REVISION" ./cmd/reconciler
# The list of its modules is in it: go version -m reconciler
FROM --platform=$BUILDPLATFORM docker.io/library/golang:1.26-bookworm AS build
WORKDIR /src

# The modules first: they change less often than the sources.
COPY go.mod go.sum ./
RUN go mod download

COPY . .
ARG TARGETOS=linux
ARG TARGETARCH=amd64
ARG VERSION=development
ARG REVISION=
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X main.buildVersion=$VERSION -X main.buildRevision=$REVISION" -o /out/reconciler ./cmd/reconciler

# CA certificates, a passwd entry for 65532 and a /tmp, and nothing else. Time zones are in the binary.
FROM gcr.io/distroless/static-debian12:nonroot
ARG VERSION=development
ARG REVISION=unknown
LABEL org.opencontainers.image.title="reconciler" \
      org.opencontainers.image.description="Nightly reconciliation of credits, purchases and refunds with Stripe" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/hummingbytes/reconciler" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=build /out/reconciler /reconciler
USER 65532:65532
ENTRYPOINT ["/reconciler"]
