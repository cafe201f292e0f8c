// Command upstream runs rabbit-hole's own specs, as its Go module ships them,
// against the broker named by AMQP_URL and MANAGEMENT_URL, and compares them
// with expected.txt: which specs may fail, and how many must pass.
package main

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

//go:embed expected.txt
var expectations string

const (
	module = "github.com/michaelklishin/rabbit-hole/v2"
	// The virtual host that the specs expect to find, and the cluster's name.
	vhost   = "rabbit/hole"
	cluster = "rabbitmq@localhost"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: upstream CACHE_FOLDER")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "rabbit-hole:", err)
		os.Exit(1)
	}
}

func run(cache string) error {
	amqp, err := url.Parse(os.Getenv("AMQP_URL"))
	if err != nil {
		return err
	}
	management, err := url.Parse(os.Getenv("MANAGEMENT_URL"))
	if err != nil {
		return err
	}
	if err = furnish(management); err != nil {
		return err
	}
	folder, err := prepare(cache, amqp.Port(), management.Port())
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	specs := exec.Command("./tests.bin", "-ginkgo.noColor", "-ginkgo.slowSpecThreshold=100", "-test.timeout=600s")
	specs.Dir = folder
	out, err := specs.CombinedOutput()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		return err
	}
	return judge(string(out))
}

// furnish makes what the module's own before_build.sh makes.
func furnish(management *url.URL) error {
	// The user who makes a vhost may do everything in it.
	if err := put(management, "/api/vhosts/"+url.PathEscape(vhost), `{}`); err != nil {
		return err
	}
	return put(management, "/api/cluster-name", `{"name":"`+cluster+`"}`)
}

func put(management *url.URL, path, body string) error {
	request, err := http.NewRequest(http.MethodPut, "http://"+management.Host+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	request.SetBasicAuth("guest", "guest")
	request.Header.Set("content-type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode >= 300 {
		return fmt.Errorf("PUT %s: %s", path, answer.Status)
	}
	return nil
}

// prepare copies the module out of the read-only cache, points its specs at the
// broker's ports, and compiles them.
func prepare(cache, amqpPort, managementPort string) (string, error) {
	fetched, err := exec.Command("go", "mod", "download", module).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go mod download: %w: %s", err, fetched)
	}
	listed, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return "", fmt.Errorf("go list: %w", err)
	}
	source := strings.TrimSpace(string(listed))
	folder, err := os.MkdirTemp(cache, "rabbit-hole-")
	if err != nil {
		return "", err
	}
	ports := strings.NewReplacer("15672", managementPort, "localhost:5672", "127.0.0.1:"+amqpPort,
		"5672", amqpPort)
	err = filepath.WalkDir(source, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(source, path)
		if err != nil {
			return err
		}
		target := filepath.Join(folder, relative)
		if entry.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		// What needs no broker keeps the ports it is written with.
		if strings.HasSuffix(path, "_test.go") && !strings.HasSuffix(path, "unit_test.go") {
			text = []byte(ports.Replace(string(text)))
		}
		return os.WriteFile(target, text, 0o644)
	})
	if err != nil {
		return "", err
	}
	build := exec.Command("go", "test", "-c", "-o", "tests.bin", ".")
	build.Dir = folder
	build.Env = append(os.Environ(), "GOFLAGS=-mod=mod")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return folder, nil
}

func judge(out string) error {
	wanted, excused := 0, map[string]string{}
	for _, line := range strings.Split(expectations, "\n") {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "pass":
			wanted, _ = strconv.Atoi(rest)
		case "excused":
			text, reason, _ := strings.Cut(rest, " | ")
			excused[text] = reason
		}
	}
	summary := regexp.MustCompile(`-- (\d+) Passed \| (\d+) Failed`).FindStringSubmatch(out)
	if summary == nil {
		return fmt.Errorf("no summary:\n%s", out)
	}
	passed, _ := strconv.Atoi(summary[1])
	fmt.Printf("rabbit-hole's own specs: %d pass, %s fail, at least %d must pass\n", passed, summary[2], wanted)
	var bad []string
	for _, match := range regexp.MustCompile(`(?m)^\[(?:Fail|Panic!)\] (.*)$`).FindAllStringSubmatch(out, -1) {
		name, known := match[1], false
		for text, reason := range excused {
			if strings.Contains(name, text) {
				fmt.Printf("excused: %s (%s)\n", name, reason)
				known = true
			}
		}
		if !known {
			bad = append(bad, name)
		}
	}
	if passed < wanted {
		bad = append(bad, fmt.Sprintf("only %d pass", passed))
	}
	if len(bad) == 0 {
		return nil
	}
	fmt.Println(out)
	return errors.New(strings.Join(bad, "; "))
}
