# The image of every process of this project: Airflow and its workers. The target `demo` adds the simulated platforms.
# The base is named by its digest: python 3.12.13-slim-trixie. Another one: docs/operations.md, Images.
ARG BASE=docker.io/library/python@sha256:9e869b0816f5537709825b49e62dc86d1c2691eff19b05c1d4dc3a07992cc052
FROM ${BASE} AS product
# product.txt, or s3.txt where landing is in an S3 bucket.
ARG LOCK=product.txt

RUN useradd --create-home --uid 50000 yuyan && install -d -o yuyan -g yuyan /var/lib/yuyan /opt/yuyan
WORKDIR /opt/yuyan
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONUNBUFFERED=1 PATH=/opt/yuyan/venv/bin:$PATH

COPY --chown=yuyan requirements/${LOCK} requirements/
RUN python -m venv venv && venv/bin/pip install --no-deps --require-hashes -r requirements/${LOCK}

COPY --chown=yuyan pyproject.toml ./
COPY --chown=yuyan requirements requirements
COPY --chown=yuyan include include
RUN rm -r include/demo
COPY --chown=yuyan dags dags
COPY --chown=yuyan dbt_project dbt_project
COPY --chown=yuyan expectations expectations
RUN venv/bin/pip install --no-deps --no-build-isolation -e .

USER yuyan
# What the line writes (landing, logs, feedback) is for its own account only.
ENTRYPOINT ["sh", "-c", "umask 077; exec \"$@\"", "--"]
CMD ["yuyan", "--help"]

FROM product AS demo
USER root
COPY --chown=yuyan include/demo include/demo
RUN venv/bin/pip install --no-deps --no-build-isolation -e include/demo
USER yuyan
