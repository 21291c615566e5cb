# aslprep_nn: CPU image. `docker build -t aslprep_nn .`
# For a GPU: --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu130
ARG PYTHON_IMAGE=docker.io/library/python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
WORKDIR /src
# What changes least goes first: other code does not fetch the libraries again.
COPY constraints.txt ./
RUN python3 -m venv /opt/aslprep_nn \
 && /opt/aslprep_nn/bin/pip install --no-cache-dir --extra-index-url "${TORCH_INDEX}" \
    --constraint constraints.txt torch
COPY pyproject.toml ./
RUN python3 -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"], sep="\n")' \
    > dependencies.txt \
 && /opt/aslprep_nn/bin/pip install --no-cache-dir --constraint constraints.txt \
    --requirement dependencies.txt
COPY README.md LICENSE ./
COPY aslprep_nn ./aslprep_nn
RUN /opt/aslprep_nn/bin/pip install --no-cache-dir --no-deps . \
 && /opt/aslprep_nn/bin/pip uninstall --yes pip setuptools \
 && find /opt/aslprep_nn -name tests -type d -path '*/site-packages/*' -prune -exec rm -rf {} +

# The second stage has the environment and none of the tools that built it.
FROM ${PYTHON_IMAGE}
ARG VERSION=unreleased
LABEL org.opencontainers.image.title="aslprep_nn" \
      org.opencontainers.image.description="CBF and ATT from arterial spin labelling" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/aslprep_nn /opt/aslprep_nn
# No home, no user database entry and no network is needed; caches go where anyone may write.
ENV PATH=/opt/aslprep_nn/bin:$PATH \
    ASLPREP_NN_CONTAINER=docker \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONNOUSERSITE=1 \
    PYTHONUNBUFFERED=1 \
    MPLCONFIGDIR=/tmp/matplotlib
USER 65534:65534
WORKDIR /tmp
HEALTHCHECK CMD ["aslprep_nn", "--version"]
ENTRYPOINT ["aslprep_nn"]
