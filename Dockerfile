# The image of every process of this project: Airflow and its workers. The target `demo` adds the simulated platforms.
FROM python:3.12-slim AS product

RUN useradd --create-home --uid 50000 yuyan && install -d -o yuyan -g yuyan /var/lib/yuyan /opt/yuyan
WORKDIR /opt/yuyan
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONUNBUFFERED=1 PATH=/opt/yuyan/venv/bin:$PATH

COPY --chown=yuyan requirements/product.txt requirements/
RUN python -m venv venv && venv/bin/pip install --no-deps --require-hashes -r requirements/product.txt

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
COPY --chown=yuyan include/demo include/demo
RUN venv/bin/pip install --no-deps --no-build-isolation -e include/demo
