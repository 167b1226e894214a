# syntax=docker/dockerfile:1
# Two stages: the first compiles, the second has no compiler. Weights live in a volume: run `rag models fetch` in it once,
# and `rag keys create NAME`, for the service is reached from outside.
FROM python:3.11-slim-bookworm AS build
RUN apt-get update \
 && apt-get install --yes --no-install-recommends gcc g++ make git \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY requirements.lock pyproject.toml README.md LICENSE CHANGELOG.md ./
# Compiled for any x86-64 with AVX2, since the image may run on another processor than the one that builds it.
ENV CMAKE_ARGS="-DGGML_NATIVE=OFF -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON"
RUN python -m venv /opt/rag \
 && /opt/rag/bin/pip install --no-cache-dir --requirement requirements.lock
COPY rag rag
COPY prompts prompts
RUN /opt/rag/bin/pip install --no-cache-dir --no-deps .

FROM python:3.11-slim-bookworm
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libgomp1 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home --uid 10001 rag \
 && mkdir -p /home/rag/data/seeds /home/rag/cache \
 && chown -R rag /home/rag
COPY --from=build /opt/rag /opt/rag
ENV PATH=/opt/rag/bin:$PATH RAG_HOME=/home/rag/data RAG_CACHE=/home/rag/cache RAG_HOST=0.0.0.0
USER rag
WORKDIR /home/rag/data
VOLUME ["/home/rag/data", "/home/rag/cache"]
EXPOSE 8000
HEALTHCHECK --start-period=60s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health')"]
CMD ["rag", "serve"]
