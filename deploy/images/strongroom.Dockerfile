# The platform's binary and nothing else: no shell, no package manager, no libc.
# Build the binary first: make static
FROM scratch
COPY bin/static/strongroom /strongroom
USER 65532:65532
ENTRYPOINT ["/strongroom"]
