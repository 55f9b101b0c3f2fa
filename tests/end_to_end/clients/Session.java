// A session by the JDK's HttpClient as it comes: it offers h2c on clear text, as Spring's and Ktor's clients do.
// Prints a line for each step: its name, the status, and the error of the answer.
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Pattern;

public class Session {
  private static final HttpClient CLIENT = HttpClient.newHttpClient();
  private static String session = "";

  public static void main(String[] given) throws Exception {
    String api = given[0] + "/api/v1/analysis", sidecar = given[1];
    Path bodies = Path.of(given[2]);
    step("start", "POST", api + "/start", "");
    step("stream", "PUT", api + "/stream", Files.readString(bodies.resolve("stream.json")).replace("SESSION", session));
    step("motifs", "GET", api + "/motifs?sessionId=" + session, null);
    step("process", "POST", api + "/process", Files.readString(bodies.resolve("process.json")));
    step("infer", "POST", sidecar + "/infer", Files.readString(bodies.resolve("infer.json")));
    step("bad", "POST", api + "/process", Files.readString(bodies.resolve("bad.json")));
    step("huge", "POST", api + "/process", Files.readString(bodies.resolve("huge.json")));
    step("stop", "POST", api + "/stop", "{\"sessionId\": \"" + session + "\"}");
  }

  private static void step(String name, String method, String url, String body) {
    try {
      var publisher = body == null ? BodyPublishers.noBody() : BodyPublishers.ofString(body);
      var request = HttpRequest.newBuilder(URI.create(url)).method(method, publisher);
      if (body != null) request.header("Content-Type", "application/json");
      var answer = CLIENT.send(request.build(), BodyHandlers.ofString());
      if (name.equals("start")) session = find("sessionId", answer.body());
      System.out.println(name + " " + answer.statusCode() + " " + find("error", answer.body()));
    } catch (Exception failure) {
      System.out.println(name + " " + failure.getClass().getSimpleName());
    }
  }

  private static String find(String key, String text) {
    var found = Pattern.compile("\"" + key + "\":\"([^\"]*)\"").matcher(text);
    return found.find() ? found.group(1) : "";
  }
}
