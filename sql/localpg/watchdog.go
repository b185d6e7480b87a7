//go:build unix

package localpg

import (
	"context"
	"strconv"
)

// lastWill ends the server $2 with signal $1 and removes its files $3. It starts when standard input ends, and that ends with the
// process that holds the other side, however it dies.
const lastWill = `
read -r line
kill -"$1" "$2" 2>/dev/null
tries=0
while kill -0 "$2" 2>/dev/null && [ "$tries" -lt 200 ]; do
	sleep 0.05
	tries=$((tries + 1))
done
rm -rf -- "$3"
`

// watch leaves a shell behind that acts when this process dies. release calls it off.
func watch(a *account, pid int, remove string) (release func(), err error) {
	dog := a.command(context.Background(), "/", "/bin/sh", "-c", lastWill, "watchdog", strconv.Itoa(int(onDeath)), strconv.Itoa(pid), remove)
	held, err := dog.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := dog.Start(); err != nil {
		return nil, err
	}
	return func() {
		_ = dog.Process.Kill() // before the pipe closes, which would make it signal a process id that is free again
		_ = dog.Wait()
		_ = held.Close()
	}, nil
}
