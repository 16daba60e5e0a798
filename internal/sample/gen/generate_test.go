package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

func TestSampleIsWhatTheGeneratorMakes(t *testing.T) {
	catalogue, err := os.ReadFile("../" + catalogueFile)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("../" + sampleFile)
	if err != nil {
		t.Fatal(err)
	}
	got, err := generate(bytes.NewReader(catalogue))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs from what the generator makes: run 'go generate ./internal/sample'", sampleFile)
	}
}

func TestCatalogueWithUnknownField(t *testing.T) {
	_, err := generate(strings.NewReader(`{"stream":"a","topics":["a"]}` + "\n" + `{"stream":"b","retention":"1d"}`))
	if err == nil || !strings.Contains(err.Error(), "stream 2") || !strings.Contains(err.Error(), "retention") {
		t.Errorf("error %v, want one that names stream 2 and the field", err)
	}
}
