# Everything that loads no model: API, scheduler, deliverer, beat, housekeeping, feedback, Flower, and the command line.
#   docker build -f deploy/images/producer.Dockerfile -t content-factory/producer .
FROM python:3.11-slim-bookworm AS build
COPY constraints.txt pyproject.toml /build/
WORKDIR /build
# Later nothing can be written beside the sources, and to compile them at each start takes a process seconds.
ENV UV_COMPILE_BYTECODE=1
# Libraries change seldom, so they are a layer of their own.
RUN python -m venv /opt/factory \
 && pip install --no-cache-dir -c constraints.txt uv \
 && uv pip install --no-cache --python /opt/factory/bin/python -c constraints.txt -r pyproject.toml \
      --extra postgres --extra api --extra traces \
 && uv pip install --no-cache --python /opt/factory/bin/python -c constraints.txt flower
COPY . /build/
RUN uv pip install --no-cache --python /opt/factory/bin/python -c constraints.txt --no-deps .

FROM python:3.11-slim-bookworm
RUN useradd --uid 10001 --user-group --home-dir /var/lib/factory --create-home --shell /usr/sbin/nologin factory
COPY --from=build /opt/factory /opt/factory
ENV PATH=/opt/factory/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    FACTORY_HOME=/var/lib/factory \
    FACTORY_METRICS_PORT=9400
USER 10001:10001
WORKDIR /var/lib/factory
VOLUME /var/lib/factory
# Of the processes that answer probes; the API, beat and Flower have checks of their own.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=4 \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:9400/healthz', timeout=4)"]
ENTRYPOINT []
CMD ["factory", "--help"]
