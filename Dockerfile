# syntax=docker/dockerfile:1
# The service, without a compiler. Weights lie in the volume of the cache: fetched once (`rag models fetch`), or baked in with
#   docker build --build-arg WEIGHTS="multilingual-e5-small-q4 qwen2.5-coder-1.5b-instruct-q4_k_m" --tag rag .
# after which a new volume begins with them. tests/test_container.py holds this file to what can be checked without an engine.
ARG PYTHON=3.11.16-slim-bookworm

FROM python:${PYTHON} AS build
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends gcc g++ make \
 && rm -rf /var/lib/apt/lists/*
# llama.cpp for any x86-64 with AVX2, since the image may run on another processor than the one that builds it; and without the parts
# that scripts/build_llama.py leaves out.
ENV CMAKE_ARGS="-DGGML_NATIVE=OFF -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON -DLLAVA_BUILD=OFF -DCMAKE_PROJECT_llama.cpp_INCLUDE=/src/llama.cmake" \
    PIP_DISABLE_PIP_VERSION_CHECK=1
# Where packages come from, and torch alone: its build of the usual index brings gigabytes of CUDA. Its headers and tests stay behind.
ARG PIP_INDEX_URL=https://pypi.org/simple
ARG TORCH_INDEX_URL=https://download.pytorch.org/whl/cpu
WORKDIR /src
COPY requirements.lock scripts/llama.cmake ./
RUN python -m venv /opt/rag \
 && /opt/rag/bin/pip install --no-cache-dir --no-deps --index-url "$TORCH_INDEX_URL" "$(grep '^torch==' requirements.lock)" \
 && /opt/rag/bin/pip install --no-cache-dir --no-binary llama-cpp-python --requirement requirements.lock \
 && rm -r /opt/rag/lib/python3.11/site-packages/torch/include /opt/rag/lib/python3.11/site-packages/torch/test
COPY pyproject.toml README.md LICENSE CHANGELOG.md ./
COPY prompts prompts
COPY rag rag
RUN /opt/rag/bin/pip install --no-cache-dir --no-deps .

FROM build AS weights
ARG WEIGHTS=""
RUN mkdir -p /weights \
 && for name in $WEIGHTS; do RAG_CACHE=/weights /opt/rag/bin/rag models fetch "$name" || exit 1; done

FROM python:${PYTHON}
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libgomp1 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --create-home --shell /usr/sbin/nologin rag \
 && install --directory --owner rag --group rag /home/rag/home /home/rag/home/seeds /home/rag/cache
COPY --from=build /opt/rag /opt/rag
COPY --from=weights --chown=10001:10001 /weights /home/rag/cache
# What is written goes to the two volumes and to /tmp, so the rest may be read-only.
ENV PATH=/opt/rag/bin:$PATH PYTHONDONTWRITEBYTECODE=1 RAG_HOME=/home/rag/home RAG_CACHE=/home/rag/cache \
    HF_HOME=/home/rag/cache/hub RAG_HOST=0.0.0.0 RAG_PORT=8000
USER 10001
WORKDIR /home/rag/home
VOLUME ["/home/rag/home", "/home/rag/cache"]
EXPOSE 8000
# Of this machine, so whatever RAG_HOST is, and no proxy is asked.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 CMD ["python", "-c", "import http.client as h, os, sys; c = h.HTTPConnection('127.0.0.1', int(os.environ['RAG_PORT']), timeout=5); c.request('GET', '/health/ready'); sys.exit(c.getresponse().status != 200)"]
CMD ["rag", "serve"]
