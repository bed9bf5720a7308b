# Concord LRS: one image for web, worker and beat; compose.yaml and deploy/helm say with which command each starts.
FROM python:3.11-slim-bookworm AS build
WORKDIR /source
RUN python -m venv /opt/lrs
COPY constraints.txt setup.cfg pyproject.toml README.md wsgi.py ./
COPY lrs lrs
COPY workers workers
COPY verbs verbs
COPY analytics analytics
RUN /opt/lrs/bin/pip install --no-cache-dir --disable-pip-version-check --only-binary :all: -c constraints.txt setuptools wheel \
    && /opt/lrs/bin/pip install --no-cache-dir --disable-pip-version-check --no-build-isolation -c constraints.txt .

FROM python:3.11-slim-bookworm
RUN groupadd --gid 10001 lrs \
    && useradd --uid 10001 --gid lrs --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin lrs \
    && install -d -o lrs -g lrs -m 0700 /data
COPY --from=build /opt/lrs /opt/lrs
ENV PATH=/opt/lrs/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 LRS_DATA=/data
USER 10001:10001
# lrs.toml is looked for here; nothing is written here
WORKDIR /opt/lrs
VOLUME /data
EXPOSE 8080
CMD ["lrs", "serve"]
