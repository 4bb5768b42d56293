# The signing process and nothing else. Its state folder is a volume.
# Build the binary first: make static
FROM scratch
COPY bin/static/signer /signer
USER 65532:65532
ENTRYPOINT ["/signer"]
