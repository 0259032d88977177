package flags

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Package is what an installed daemon is started with: the arguments that its
// configuration directory gives and the environment that its default files give.
type Package struct {
	Args    []string
	Environ []string
	// Ulimit is the ULIMIT of the default files ("-n 16384"); empty for none.
	Ulimit string
}

// MesosPackage reads what the original's mesos-init-wrapper reads
// (support/packaging/common/mesos-init-wrapper): /etc/mesos/zk, the shell files
// /etc/default/mesos and /etc/default/mesos-<name>, and the directories
// /etc/mesos-<name>. Component is "master" or "agent"; for the agent the older
// names mesos-slave are read where no newer file stands. Root is "/" except in tests.
func MesosPackage(ctx context.Context, root, component string, environ []string) (Package, error) {
	names := []string{component}
	if component == "agent" {
		names = append(names, "slave")
	}
	defaults := []string{filepath.Join(root, "etc/default/mesos")}
	defaults = append(defaults, firstThere(root, "etc/default/mesos-", names)...)
	env, err := sourceShell(ctx, defaults, environ)
	if err != nil {
		return Package{}, err
	}
	p := Package{Environ: env}
	var vars [][2]string
	if component == "master" {
		vars = [][2]string{{"ZK", "zk"}, {"IP", "ip"}, {"PORT", "port"}, {"CLUSTER", "cluster"}, {"LOGS", "log_dir"}}
	} else {
		vars = [][2]string{{"MASTER", "master"}, {"IP", "ip"}, {"LOGS", "log_dir"}, {"ISOLATION", "isolation"}}
	}
	p.Ulimit, _ = lookup(env, "ULIMIT")
	for _, v := range vars {
		if text, ok := lookup(env, v[0]); ok && text != "" {
			p.Args = append(p.Args, "--"+v[1]+"="+text)
		}
	}
	for _, dir := range firstThere(root, "etc/mesos-", names) {
		args, err := flagDirectory(dir)
		if err != nil {
			return Package{}, err
		}
		// "?no-logger" speaks to the wrapper, not to the daemon.
		p.Args = append(p.Args, slices.DeleteFunc(args, func(a string) bool { return a == "--no-logger" })...)
		if component != "agent" {
			continue
		}
		for _, sub := range []string{"attributes", "resources"} {
			text, err := joined(filepath.Join(dir, sub))
			if err != nil {
				return Package{}, err
			}
			if text != "" {
				p.Args = append(p.Args, "--"+sub+"="+text)
			}
		}
	}
	return p, nil
}

// MarathonPackage reads what the packages of Marathon read: the shell file
// /etc/default/marathon and, as up to 1.4, a file per flag in /etc/marathon/conf,
// which the command line args overrule. Without --zk and --master they come from
// /etc/mesos/zk, as up to 1.4.
func MarathonPackage(ctx context.Context, root string, args, environ []string) (Package, error) {
	env, err := sourceShell(ctx, []string{filepath.Join(root, "etc/default/marathon")}, environ)
	if err != nil {
		return Package{}, err
	}
	p := Package{Environ: env}
	conf, err := flagDirectory(filepath.Join(root, "etc/marathon/conf"))
	if err != nil {
		return Package{}, err
	}
	has := func(name string, in []string) bool {
		return slices.ContainsFunc(in, func(a string) bool { return a == "--"+name || strings.HasPrefix(a, "--"+name+"=") })
	}
	for _, a := range conf {
		name, _, _ := strings.Cut(strings.TrimPrefix(a, "--"), "=")
		if !has(name, args) {
			p.Args = append(p.Args, a)
		}
	}
	zk, err := os.ReadFile(filepath.Join(root, "etc/mesos/zk"))
	if err == nil {
		url := strings.TrimSpace(string(zk))
		given := func(name string) bool {
			_, ok := lookup(env, "MARATHON_"+strings.ToUpper(name))
			return ok || has(name, args) || has(name, p.Args)
		}
		if !given("master") {
			p.Args = append(p.Args, "--master="+url)
		}
		if hosts, ok := strings.CutPrefix(url, "zk://"); ok && !given("zk") {
			hosts, _, _ = strings.Cut(hosts, "/")
			p.Args = append(p.Args, "--zk=zk://"+hosts+"/marathon")
		}
	}
	p.Args = append(p.Args, args...)
	return p, nil
}

func firstThere(root, prefix string, names []string) []string {
	for _, n := range names {
		path := filepath.Join(root, prefix+n)
		if _, err := os.Stat(path); err == nil {
			return []string{path}
		}
	}
	return nil
}

// flagDirectory turns the files of dir into arguments: the name is the flag, the
// content its value without trailing newlines; "?name" is a bare flag. A missing
// directory gives none.
func flagDirectory(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the flag directory: %w", err)
	}
	var args []string
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		// Names with a leading dot are invisible to the wrapper's glob.
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if bare, ok := strings.CutPrefix(e.Name(), "?"); ok {
			args = append(args, "--"+bare)
			continue
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read the flag file: %w", err)
		}
		args = append(args, "--"+e.Name()+"="+strings.TrimRight(string(data), "\n"))
	}
	return args, nil
}

// joined makes "key:content;key:content" out of the non-empty files of dir.
func joined(dir string) (string, error) {
	args, err := flagDirectory(dir)
	if err != nil {
		return "", err
	}
	var parts []string
	for _, a := range args {
		key, content, _ := strings.Cut(strings.TrimPrefix(a, "--"), "=")
		if content != "" {
			parts = append(parts, key+":"+content)
		}
	}
	return strings.Join(parts, ";"), nil
}

// sourceShell returns the environment after the files were sourced with every
// assignment exported. They are shell scripts (ZK=`cat /etc/mesos/zk` is the
// packaged default), so nothing but a shell reads them rightly.
func sourceShell(ctx context.Context, files, environ []string) ([]string, error) {
	var there []string
	for _, f := range files {
		if info, err := os.Stat(f); err == nil && info.Mode().IsRegular() {
			there = append(there, f)
		}
	}
	if len(there) == 0 {
		return environ, nil
	}
	script := `set -a; for f in "$@"; do . "$f" >&2 || exit 1; done; exec env -0`
	cmd := exec.CommandContext(ctx, "/bin/sh", append([]string{"-c", script, "sh"}, there...)...)
	cmd.Env = environ
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("source %s: %w: %s", strings.Join(there, ", "), err, strings.TrimSpace(stderr.String()))
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == 0 }), nil
}

func lookup(environ []string, key string) (string, bool) {
	for _, e := range environ {
		if k, v, ok := strings.Cut(e, "="); ok && k == key {
			return v, true
		}
	}
	return "", false
}
