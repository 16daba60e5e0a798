package nats

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"

	"github.com/metalog/metalog/internal/natsserver"
)

// childVariable makes the test binary a NATS server. Its value is a childConfig.
const childVariable = "METALOG_NATS_CHILD"

type childConfig struct {
	StoreDir string
	Port     int
}

// childMain runs a server until its parent is gone: it says where, and waits.
func childMain(text string) error {
	var config childConfig
	if err := json.Unmarshal([]byte(text), &config); err != nil {
		return err
	}
	server, err := natsserver.Start(context.Background(), natsserver.Options{StoreDir: config.StoreDir, Port: config.Port, Logger: quiet})
	if err != nil {
		return err
	}
	fmt.Println(server.ClientURL())
	_, err = io.Copy(io.Discard, os.Stdin)
	server.Shutdown()
	return err
}

// child is a server in a process of its own.
type child struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	url   string
}

func startChild(t *testing.T, config childConfig) *child {
	t.Helper()
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &child{cmd: exec.Command(exe)}
	c.cmd.Env = append(os.Environ(), childVariable+"="+string(text))
	c.cmd.Stderr = os.Stderr
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("the NATS server did not start: %v", c.cmd.Wait())
	}
	c.url = lines.Text()
	return c
}

// kill ends it with SIGKILL, and returns when it is gone.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait() // says that it was killed
}
