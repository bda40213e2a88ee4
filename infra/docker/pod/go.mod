module github.com/flotilla-dev/flotilla/infra/docker/pod

go 1.26.0
