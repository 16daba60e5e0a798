# Thin targets: each is a command that you can type as well.

.PHONY: run test lint bench suite generate ci

run:
	go run ./cmd/metalog serve --demo

test:
	go test -race ./...

lint:
	golangci-lint run

bench:
	go test -run '^$$' -bench . -benchmem ./...

suite:
	go run -C tests/bench/suite .

generate:
	go generate ./...

ci:
	.ci/run
