// Command upstream runs amqp091-go's own tests, as its Go module ships them,
// against the broker named by AMQP_URL, and compares them with expected.txt:
// which tests may fail or be skipped, and how many must pass.
package main

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"sync"
)

//go:embed expected.txt
var expectations string

const (
	module         = "github.com/rabbitmq/amqp091-go"
	managementPort = "15672"
	recovery       = "recovery"
	// Recovery tests mostly sleep, and share no name: they run in this many lanes.
	lanes = 6
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: upstream CACHE_FOLDER")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "upstream:", err)
		os.Exit(1)
	}
}

func run(cache string) error {
	address := os.Getenv("AMQP_URL")
	if address == "" {
		address = "amqp://guest:guest@127.0.0.1:5672/%2f"
	}
	direct, err := url.Parse(address)
	if err != nil {
		return err
	}
	broker := direct.Host
	if direct.Port() == "" {
		broker += ":5672"
	}
	relayed := *direct
	stand := &forcer{broker: broker}
	amqpAddress, httpAddress, err := stand.start()
	if err != nil {
		return err
	}
	relayed.Host = amqpAddress
	folder, err := prepare(cache, httpAddress[strings.LastIndex(httpAddress, ":")+1:])
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	shards, err := split(folder)
	if err != nil {
		return err
	}
	results := result{outcomes: map[string]string{}, logs: map[string]string{}}
	var all sync.WaitGroup
	for name, tests := range shards {
		all.Add(1)
		go func() {
			defer all.Done()
			target := direct.String()
			if strings.HasPrefix(name, recovery) {
				target = relayed.String()
			}
			results.collect(folder, name, target, tests)
		}()
	}
	all.Wait()
	return results.judge()
}

// prepare copies the module out of the read-only cache, points the management
// port at the stand-in, and compiles the test binary.
func prepare(cache, port string) (string, error) {
	listed, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return "", fmt.Errorf("go list: %w", err)
	}
	source := strings.TrimSpace(string(listed))
	if err = os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	folder, err := os.MkdirTemp(cache, "upstream-")
	if err != nil {
		return "", err
	}
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
		if strings.HasSuffix(path, ".go") {
			text = []byte(strings.ReplaceAll(string(text), managementPort, port))
			// "localhost" may be resolved to ::1 first; the stand-in is on 127.0.0.1.
			text = []byte(strings.ReplaceAll(string(text), "http://localhost:", "http://127.0.0.1:"))
			// A few tests check nothing, and leave their connection open, unless the
			// broker's product is RabbitMQ; here they check whatever it is named.
			text = regexp.MustCompile(`(product\.\(string\)|server) == "RabbitMQ"`).ReplaceAll(text, []byte(`$1 != ""`))
		}
		return os.WriteFile(target, text, 0o644)
	})
	if err != nil {
		return "", err
	}
	build := exec.Command("go", "test", "-c", "-tags", "integration", "-o", "tests.bin", ".")
	build.Dir = folder
	build.Env = append(os.Environ(), "GOFLAGS=-mod=mod")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return folder, nil
}

// split names the tests of each file, in groups that can run at once: those
// that force connections closed, those that talk to the broker (in order, for
// they share queue names), and those that need no broker.
func split(folder string) (map[string][]string, error) {
	shards, next := map[string][]string{}, 0
	declaration := regexp.MustCompile(`(?m)^func ((?:Test|Example|Fuzz)\w*)\(`)
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		shard := "alone"
		switch filepath.Base(file) {
		case "recovery_test.go":
			shard = recovery
		case "integration_test.go", "connection_test.go", "reconnect_test.go", "examples_test.go":
			shard = "broker"
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for _, match := range declaration.FindAllStringSubmatch(string(text), -1) {
			if match[1] == "TestMain" {
				continue
			}
			lane := shard
			if shard == recovery {
				lane += strconv.Itoa(next % lanes)
				next++
			}
			shards[lane] = append(shards[lane], match[1])
		}
	}
	return shards, nil
}

type result struct {
	lock     sync.Mutex
	outcomes map[string]string // test name -> PASS, FAIL or SKIP
	logs     map[string]string // failed shard -> output
	broken   []string          // shards that ended badly without a failed test
}

func (r *result) collect(folder, shard, address string, tests []string) {
	run := exec.Command("./tests.bin", "-test.v", "-test.timeout=240s",
		"-test.run=^("+strings.Join(tests, "|")+")$")
	run.Dir = folder
	run.Env = append(os.Environ(), "AMQP_URL="+address)
	out, err := run.CombinedOutput()
	r.lock.Lock()
	defer r.lock.Unlock()
	failed := false
	line := regexp.MustCompile(`(?m)^\s*--- (PASS|FAIL|SKIP): (\S+)`)
	for _, match := range line.FindAllStringSubmatch(string(out), -1) {
		r.outcomes[match[2]] = match[1]
		failed = failed || match[1] == "FAIL"
	}
	// A goroutine left behind fails the run though each test passed.
	if exit := new(exec.ExitError); err != nil && (!errors.As(err, &exit) || !failed) {
		r.broken = append(r.broken, fmt.Sprintf("%s: %v", shard, err))
		failed = true
	}
	if failed {
		r.logs[shard] = string(out)
	}
}

func (r *result) judge() error {
	wanted, excused := 0, map[string]string{}
	for _, line := range strings.Split(expectations, "\n") {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "pass":
			wanted, _ = strconv.Atoi(rest)
		case "excused":
			name, reason, _ := strings.Cut(rest, " ")
			excused[name] = reason
		}
	}
	passed := 0
	var bad []string
	for name, outcome := range r.outcomes {
		reason, isExcused := excused[name]
		switch {
		case outcome == "PASS":
			passed++
		case isExcused:
			fmt.Printf("excused %s: %s (%s)\n", outcome, name, reason)
		default:
			bad = append(bad, outcome+" "+name)
		}
	}
	sort.Strings(bad)
	bad = append(bad, r.broken...)
	fmt.Printf("amqp091-go's own tests: %d of %d pass, at least %d expected\n", passed, len(r.outcomes), wanted)
	if passed < wanted {
		bad = append(bad, fmt.Sprintf("only %d pass", passed))
	}
	if len(bad) == 0 {
		return nil
	}
	for shard, log := range r.logs {
		fmt.Printf("== %s\n%s\n", shard, log)
	}
	return errors.New(strings.Join(bad, "; "))
}
