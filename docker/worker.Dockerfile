# A worker: the project and all that it needs, to be started on a machine with a GPU.
# docs/gpu-worker.md says how.
FROM python:3.11.11-slim-bookworm

# git tells MLflow which commit a run comes from.
RUN apt-get update && apt-get install -y --no-install-recommends git && rm -rf /var/lib/apt/lists/*
WORKDIR /project

# First what rarely changes: torch from the package index brings CUDA's libraries along; the driver is the host's.
COPY pyproject.toml constraints.txt README.md LICENSE ./
RUN mkdir -p src/uncrappify && touch src/uncrappify/__init__.py \
    && pip install --no-cache-dir -c constraints.txt -e .
COPY . .
# The store of runs goes into the volume too: a container that takes over goes on in the same run. The folder is made when
# it starts, because a volume that is a folder of the host's has none.
RUN ln -s data/store/mlflow.db mlflow.db && ln -s data/store/mlartifacts mlartifacts
ENTRYPOINT ["sh", "-c", "mkdir -p data/store/mlartifacts && exec \"$@\"", "--"]
CMD ["kedro", "run", "--pipeline", "superres"]
