# A node of matching and nothing else. Its state folder is a volume.
# Build the binary first: make static
FROM scratch
COPY bin/static/matching /matching
USER 65532:65532
ENTRYPOINT ["/matching"]
