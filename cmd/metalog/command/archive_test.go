package command

import (
	"bufio"
	"bytes"
	"testing"

	"github.com/metalog/metalog"
)

func TestArchiveWithoutFiles(t *testing.T) {
	var out bytes.Buffer
	a := &app{out: bufio.NewWriter(&out)}
	if err := a.printArchive(metalog.ArchiveStatus{ArchiveInfo: metalog.ArchiveInfo{Location: "/arch", FirstSeq: 1}}); err != nil {
		t.Fatal(err)
	}
	if err := a.out.Flush(); err != nil || out.String() != "/arch: no files\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
}
