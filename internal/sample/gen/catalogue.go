package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// stream is a line of the catalogue; testdata/README.md explains the fields.
type stream struct {
	Name            string   `json:"stream"`
	Topics          []string `json:"topics"`
	SchemaTitle     string   `json:"schema_title"`
	ProducerService string   `json:"producer_service"`
	HadoopJob       string   `json:"hadoop_job"`
	Keyed           bool     `json:"keyed"`
}

// defaultJob ingests the streams that name no job.
const defaultJob = "event_default"

func (s stream) job() string {
	if s.HadoopJob == "" {
		return defaultJob
	}
	return s.HadoopJob
}

// config is the part of a topic's config that follows from the catalogue.
func (s stream) config() map[string]string {
	config := map[string]string{"schema.title": s.SchemaTitle}
	if s.ProducerService != "" {
		config["producer.service"] = s.ProducerService
	}
	if s.Keyed {
		config["cleanup.policy"] = "compact"
	}
	return config
}

// dataCentre tells where a topic's brokers are: its prefix says so, where it has
// one.
func dataCentre(topic string) string {
	if strings.HasPrefix(topic, "codfw.") {
		return "codfw"
	}
	return "eqiad"
}

func readCatalogue(r io.Reader) ([]stream, error) {
	dec := json.NewDecoder(r)
	dec.DisallowUnknownFields()
	var streams []stream
	for {
		var s stream
		switch err := dec.Decode(&s); {
		case errors.Is(err, io.EOF):
			return streams, nil
		case err != nil:
			return nil, fmt.Errorf("catalogue: stream %d: %w", len(streams)+1, err)
		}
		streams = append(streams, s)
	}
}
