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
# The image's files, each with the mode that it has there: COPY --chmod would give a file's to its folders too.
# The authorities are Debian's own, without what the machine was taught beside them.
RUN set -e; umask 022; root=/out/root; \
    install -D -m 0755 /out/optimus $root/usr/bin/optimus; \
    install -D -m 0644 deploy/image/passwd $root/etc/passwd; \
    install -D -m 0644 deploy/image/group $root/etc/group; \
    install -D -m 0644 LICENSE $root/usr/share/doc/optimus/LICENSE; \
    install -D -m 0644 NOTICE $root/usr/share/doc/optimus/NOTICE; \
    install -d -m 0755 $root/etc/ssl/certs $root/var/lib; \
    LC_ALL=C sh -c 'cat /usr/share/ca-certificates/mozilla/*.crt' > $root/etc/ssl/certs/ca-certificates.crt; \
    install -d -m 1777 $root/tmp; \
    install -d -m 0755 -o 65532 -g 65532 $root/var/lib/optimus

# Nothing else is needed: the program is static.
FROM scratch
COPY --from=build /out/root/ /
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
