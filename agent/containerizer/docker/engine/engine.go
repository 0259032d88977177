// Package engine is all that the agent knows of Docker's API: images, containers and how they
// are described. Nothing else imports the SDK.
//
// Comes in: what Mesos says of a container. Goes out: calls to one engine. It keeps no state of
// containers and never decides which ones live.
package engine

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
)

// DefaultSocket is --docker_socket's default.
const DefaultSocket = "/var/run/docker.sock"

// Engine talks to one Docker engine.
type Engine struct {
	api    *client.Client
	socket string
}

// New makes a client for the engine behind a unix socket, a path or a unix:// URL. Nothing is
// asked of the engine yet: it may come up later.
func New(socket string) (*Engine, error) {
	if socket == "" {
		socket = DefaultSocket
	}
	host := socket
	if !strings.Contains(host, "://") {
		host = "unix://" + host
	}
	api, err := client.NewClientWithOpts(client.WithHost(host), client.WithAPIVersionNegotiation())
	if err != nil {
		return nil, fmt.Errorf("Failed to create docker: %w", err)
	}
	return &Engine{api: api, socket: host}, nil
}

// Close ends idle connections.
func (e *Engine) Close() error { return e.api.Close() }

// Host is the engine's address as the docker command's -H takes it.
func (e *Engine) Host() string { return e.socket }

// Ping asks whether the engine answers.
func (e *Engine) Ping(ctx context.Context) error {
	_, err := e.api.Ping(ctx)
	return err
}

// IsNotFound tells whether an error says that the container or image does not exist.
func IsNotFound(err error) bool { return errdefs.IsNotFound(err) }

// IsUnreachable tells whether an error says that no engine answered.
func IsUnreachable(err error) bool { return client.IsErrConnectionFailed(err) }

// Ensure makes an image present: it is pulled if it is not there or if force is set. The
// credentials come from a docker configuration file's text, if given. Errors are worded as
// the original's, which ran the docker command.
func (e *Engine) Ensure(ctx context.Context, ref string, force bool, credentials []byte) error {
	if !force {
		_, err := e.api.ImageInspect(ctx, ref)
		if err == nil {
			return nil
		}
		if !errdefs.IsNotFound(err) && !errdefs.IsInvalidArgument(err) {
			return fmt.Errorf("Failed to run 'docker -H %s inspect %s': exited with status 1; stderr='%w\n'", e.socket, ref, err)
		}
	}
	if err := e.pull(ctx, ref, credentials); err != nil {
		return fmt.Errorf("Failed to run 'docker -H %s pull %s': exited with status 1; stderr='%w\n'", e.socket, ref, err)
	}
	return nil
}

func (e *Engine) pull(ctx context.Context, ref string, credentials []byte) error {
	auth, err := registryAuth(ref, credentials)
	if err != nil {
		return err
	}
	stream, err := e.api.ImagePull(ctx, ref, image.PullOptions{RegistryAuth: auth})
	if err != nil {
		return err
	}
	defer stream.Close()
	// The engine reports progress, and failures after the beginning, on the stream.
	decoder := json.NewDecoder(stream)
	for {
		var message struct {
			Error string `json:"error"`
		}
		switch err := decoder.Decode(&message); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case message.Error != "":
			return errors.New(message.Error)
		}
	}
}

// registryAuth finds the credentials for an image's registry in a docker configuration, either
// ~/.docker/config.json or the older ~/.dockercfg form.
func registryAuth(ref string, configuration []byte) (string, error) {
	if len(configuration) == 0 {
		return "", nil
	}
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return "", err
	}
	type entry struct {
		Auth          string `json:"auth"`
		Username      string `json:"username"`
		Password      string `json:"password"`
		IdentityToken string `json:"identitytoken"`
	}
	var file struct {
		Auths map[string]entry `json:"auths"`
	}
	if err := json.Unmarshal(configuration, &file); err != nil {
		return "", fmt.Errorf("docker configuration: %w", err)
	}
	if file.Auths == nil {
		// The old form has the registries at the top.
		if err := json.Unmarshal(configuration, &file.Auths); err != nil {
			return "", fmt.Errorf("docker configuration: %w", err)
		}
	}
	domain := reference.Domain(named)
	names := []string{domain, "https://" + domain, "http://" + domain}
	if domain == "docker.io" {
		names = append(names, "https://index.docker.io/v1/", "index.docker.io")
	}
	for _, name := range names {
		for key, found := range file.Auths {
			if key != name && !strings.HasPrefix(key, name+"/") {
				continue
			}
			credentials := map[string]string{"serveraddress": key}
			if found.Auth != "" {
				decoded, err := base64.StdEncoding.DecodeString(strings.TrimRight(found.Auth, "\x00"))
				if err != nil {
					return "", fmt.Errorf("docker configuration: the auth of %s is not base64", key)
				}
				found.Username, found.Password, _ = strings.Cut(string(decoded), ":")
			}
			credentials["username"] = found.Username
			credentials["password"] = strings.TrimRight(found.Password, "\x00")
			credentials["identitytoken"] = found.IdentityToken
			encoded, err := json.Marshal(credentials)
			if err != nil {
				return "", err
			}
			return base64.URLEncoding.EncodeToString(encoded), nil
		}
	}
	return "", nil
}

// Names lists the names of all containers, running or not, that begin with prefix.
func (e *Engine) Names(ctx context.Context, prefix string) ([]string, error) {
	list, err := e.api.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return nil, err
	}
	var names []string
	for _, one := range list {
		for _, name := range one.Names {
			if name = strings.TrimPrefix(name, "/"); strings.HasPrefix(name, prefix) {
				names = append(names, name)
			}
		}
	}
	return names, nil
}

// Stop sends the container its stop signal and, after the grace period (cut to whole seconds, as
// the docker command takes them), SIGKILL. A container that does not run or exist is no error.
func (e *Engine) Stop(ctx context.Context, name string, grace time.Duration) error {
	seconds := max(int(grace/time.Second), 0)
	err := e.api.ContainerStop(ctx, name, container.StopOptions{Timeout: &seconds})
	if err != nil && !errdefs.IsNotFound(err) && !errdefs.IsNotModified(err) {
		return err
	}
	return nil
}

// Kill sends SIGKILL. A container that does not run or exist is no error.
func (e *Engine) Kill(ctx context.Context, name string) error {
	err := e.api.ContainerKill(ctx, name, "KILL")
	if err != nil && !errdefs.IsNotFound(err) && !errdefs.IsConflict(err) {
		return err
	}
	return nil
}

// Remove deletes a container and its anonymous volumes, even if it runs. One that does not
// exist is no error.
func (e *Engine) Remove(ctx context.Context, name string) error {
	err := e.api.ContainerRemove(ctx, name, container.RemoveOptions{RemoveVolumes: true, Force: true})
	if err != nil && !errdefs.IsNotFound(err) && !errdefs.IsConflict(err) {
		return err
	}
	return nil
}

// Limit changes the processor shares and memory limit of a container.
func (e *Engine) Limit(ctx context.Context, name string, cpus float64, memory int64) error {
	update := container.UpdateConfig{}
	if cpus > 0 {
		update.CPUShares = cpuShares(cpus)
	}
	if memory > 0 {
		update.Memory = max(memory, minMemory)
		update.MemorySwap = 2 * update.Memory
	}
	_, err := e.api.ContainerUpdate(ctx, name, update)
	return err
}

// Usage is what a container used.
type Usage struct {
	// User and System are processor time; Memory is resident memory in bytes.
	User, System time.Duration
	Memory       uint64
}

// Usage reads the container's statistics once.
func (e *Engine) Usage(ctx context.Context, name string) (Usage, error) {
	response, err := e.api.ContainerStatsOneShot(ctx, name)
	if err != nil {
		return Usage{}, err
	}
	defer response.Body.Close()
	var stats container.StatsResponse
	if err := json.NewDecoder(response.Body).Decode(&stats); err != nil {
		return Usage{}, err
	}
	memory, ok := stats.MemoryStats.Stats["rss"]
	if !ok {
		memory = stats.MemoryStats.Stats["anon"] // cgroup v2
	}
	return Usage{
		User:   time.Duration(stats.CPUStats.CPUUsage.UsageInUsermode),
		System: time.Duration(stats.CPUStats.CPUUsage.UsageInKernelmode),
		Memory: memory,
	}, nil
}

// ReadCredentials finds a docker configuration for pulls: in the sandbox, where the fetcher may have put
// one, or else the agent's --docker_config, which is a file's path or the JSON itself.
func ReadCredentials(sandbox, agentConfig string) ([]byte, error) {
	root, err := os.OpenRoot(sandbox)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	for _, name := range []string{".docker/config.json", ".dockercfg"} {
		if data, err := root.ReadFile(name); err == nil {
			return data, nil
		}
	}
	switch {
	case agentConfig == "":
		return nil, nil
	case strings.HasPrefix(strings.TrimSpace(agentConfig), "{"):
		return []byte(agentConfig), nil
	}
	return os.ReadFile(strings.TrimPrefix(agentConfig, "file://"))
}
