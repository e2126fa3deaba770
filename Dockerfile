# Contact Streams: every command of `contact-streams` in one image. Build it from the root of a checkout.

FROM python:3.12.11-slim-bookworm@sha256:519591d6871b7bc437060736b9f7456b8731f1499a57e22e6c285135ae657bf7 AS build
WORKDIR /build

# Dependencies first, they change least. Exactly what the lock names, by hash, and never built from source.
COPY requirements.lock requirements-dev.lock ./
RUN python -m venv --without-pip /opt/contact-streams \
    && pip --python /opt/contact-streams/bin/python install --no-cache-dir --disable-pip-version-check \
        --require-hashes --only-binary :all: -r requirements.lock

# What builds the project stays in this stage; it too comes from a lock, by hash.
RUN sed -n '/^setuptools==/,/[^\\]$/p' requirements-dev.lock > build.lock \
    && pip install --no-cache-dir --disable-pip-version-check --require-hashes --only-binary :all: -r build.lock
# The compiler stays here as well. Without it the wheel would have nothing compiled, and do the same more slowly.
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev
COPY pyproject.toml README.md LICENSE ./
COPY schemas schemas
COPY streams streams
RUN pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && pip --python /opt/contact-streams/bin/python install --no-cache-dir --no-deps --no-index dist/*.whl


FROM python:3.12.11-slim-bookworm@sha256:519591d6871b7bc437060736b9f7456b8731f1499a57e22e6c285135ae657bf7
LABEL org.opencontainers.image.title="Contact Streams" \
      org.opencontainers.image.licenses="Apache-2.0"

# Nothing is installed in a running container.
RUN python -m pip uninstall --yes pip
COPY --from=build /opt/contact-streams /opt/contact-streams

ENV PATH=/opt/contact-streams/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    CONTACT_STREAMS_HEALTH_PORT=8080

# By number, so that an orchestrator can see that it is not root. Nothing is written: the file system may be read-only.
USER 10001:10001
WORKDIR /tmp
EXPOSE 8080 8088 9464

# serve answers on 8080; set CONTACT_STREAMS_HEALTH_PORT to 9464 for a worker and 8088 for a gateway.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"CONTACT_STREAMS_HEALTH_PORT\"]}/healthz', timeout=4)"]

ENTRYPOINT ["contact-streams"]
CMD ["--help"]
