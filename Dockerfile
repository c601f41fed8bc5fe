# syntax=docker/dockerfile:1
# Two stages: the first builds the wheel and its environment, the second only runs it, as a user
# without rights. With SCM_DATABASE_URL it uses that database; without, PostgreSQL of its own,
# whose data is the volume /data.

FROM python:3.11-slim AS build
WORKDIR /build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/scm-api
COPY constraints.txt ./
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY migrations migrations
COPY src src
RUN /opt/scm-api/bin/pip install --constraint constraints.txt .

FROM python:3.11-slim
LABEL org.opencontainers.image.title="scm-api" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --system --gid 10001 scm \
    && useradd --system --uid 10001 --gid scm --home-dir /data --shell /usr/sbin/nologin scm \
    && install --directory --owner scm --group scm --mode 700 /data
COPY --from=build /opt/scm-api /opt/scm-api
ENV PATH=/opt/scm-api/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    SCM_DATA_DIR=/data/pg \
    SCM_HOST=0.0.0.0 \
    SCM_PORT=8000
USER 10001:10001
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/readyz', timeout=2)"]
CMD ["scm-api", "serve"]
