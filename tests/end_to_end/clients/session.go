// A session by Go's net/http. Prints a line for each step: its name, the status, and the error of the answer.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	gateway, sidecar, bodies := os.Args[1], os.Args[2], os.Args[3]
	api := gateway + "/api/v1/analysis"
	text := func(name string) string {
		content, failure := os.ReadFile(filepath.Join(bodies, name+".json"))
		if failure != nil {
			panic(failure)
		}
		return string(content)
	}
	session := step("start", "POST", api+"/start", "")
	step("stream", "PUT", api+"/stream", strings.Replace(text("stream"), "SESSION", session, 1))
	step("motifs", "GET", api+"/motifs?sessionId="+session, "")
	step("process", "POST", api+"/process", text("process"))
	step("infer", "POST", sidecar+"/infer", text("infer"))
	step("bad", "POST", api+"/process", text("bad"))
	step("huge", "POST", api+"/process", text("huge"))
	step("stop", "POST", api+"/stop", `{"sessionId": "`+session+`"}`)
}

// Returns the id of the session, where the answer has one.
func step(name, method, url, body string) string {
	request, failure := http.NewRequest(method, url, bytes.NewBufferString(body))
	if failure != nil {
		panic(failure)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, failure := http.DefaultClient.Do(request)
	if failure != nil {
		fmt.Println(name, failure)
		return ""
	}
	defer answer.Body.Close()
	var document struct {
		SessionID string `json:"sessionId"`
		Error     string `json:"error"`
	}
	if failure := json.NewDecoder(answer.Body).Decode(&document); failure != nil {
		fmt.Println(name, answer.StatusCode, failure)
		return ""
	}
	fmt.Println(name, answer.StatusCode, document.Error)
	return document.SessionID
}
