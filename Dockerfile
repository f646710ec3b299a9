# The image of `optimus serve` and `optimus work`. `make image` makes the same without Docker, and
# .tools/packaging/image tests that the two say the same.
#
#   docker build --build-arg VERSION=$(git describe --tags --always) -t optimus .
#
# Without a registry --build-context golang:1.26-trixie=… names another place for what it begins with.

FROM golang:1.26-trixie AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=unknown
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$VERSION" -o /out/optimus .
# Debian's own list of authorities, without what this machine may have been taught beside it; and folders
# that COPY cannot make.
RUN LC_ALL=C sh -c 'cat /usr/share/ca-certificates/mozilla/*.crt' > /out/ca-certificates.crt && mkdir /out/empty

# Nothing else is needed: the program is static.
FROM scratch
COPY --from=build --chown=0:0 --chmod=0755 /out/optimus /usr/bin/optimus
# Registries, webhooks and Redis over TLS.
COPY --from=build --chown=0:0 --chmod=0644 /out/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
# A name for the numeric user.
COPY --chown=0:0 --chmod=0644 deploy/image/passwd /etc/passwd
COPY --chown=0:0 --chmod=0644 deploy/image/group /etc/group
COPY --chown=0:0 --chmod=0644 LICENSE /usr/share/doc/optimus/LICENSE
COPY --chown=0:0 --chmod=0644 NOTICE /usr/share/doc/optimus/NOTICE
COPY --from=build --chown=0:0 --chmod=1777 /out/empty /tmp
# The data folder, for root and for the image's user.
COPY --from=build --chown=65532:65532 --chmod=0755 /out/empty /var/lib/optimus
ENV PATH=/usr/sbin:/usr/bin:/sbin:/bin
ENV XDG_DATA_HOME=/var/lib
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Optimus"
LABEL org.opencontainers.image.description="Runs untrusted programs, judges them against test cases"
LABEL org.opencontainers.image.licenses="Apache-2.0"
LABEL org.opencontainers.image.version="$VERSION"
LABEL org.opencontainers.image.revision="$REVISION"
# A number, so that Kubernetes can see that it is not root. A worker must be root: give it --user 0:0.
USER 65532:65532
EXPOSE 8080
# An address that others reach needs an API key: without one the server says so, and ends.
ENTRYPOINT ["/usr/bin/optimus"]
CMD ["serve", "--listen", ":8080"]
