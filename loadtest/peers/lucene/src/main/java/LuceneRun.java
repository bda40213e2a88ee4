import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import java.util.zip.GZIPInputStream;
import org.apache.lucene.analysis.Analyzer;
import org.apache.lucene.analysis.en.EnglishAnalyzer;
import org.apache.lucene.document.Document;
import org.apache.lucene.document.Field;
import org.apache.lucene.document.StringField;
import org.apache.lucene.document.TextField;
import org.apache.lucene.index.DirectoryReader;
import org.apache.lucene.index.IndexWriter;
import org.apache.lucene.index.IndexWriterConfig;
import org.apache.lucene.search.IndexSearcher;
import org.apache.lucene.search.Query;
import org.apache.lucene.search.ScoreDoc;
import org.apache.lucene.search.similarities.BM25Similarity;
import org.apache.lucene.store.ByteBuffersDirectory;
import org.apache.lucene.store.Directory;
import org.apache.lucene.util.QueryBuilder;

/**
 * Ranks a judged collection in the form of BEIR by Lucene: EnglishAnalyzer, BM25 with k1 = 1.2 and b = 0.75, title and text as one field, a
 * query as the OR of its words. Writes a run of TREC.
 *
 * <pre>mvn -q compile exec:java -Dexec.args="folder split lucene.run"</pre>
 */
public final class LuceneRun {
  private static final int DEPTH = 1000;
  private static final String FIELD = "contents";
  private static final ObjectMapper JSON = new ObjectMapper();

  private LuceneRun() {}

  public static void main(String[] args) throws IOException {
    if (args.length != 3) {
      System.err.println("want: folder of the collection, split, file of the run");
      System.exit(2);
    }
    Path folder = Path.of(args[0]);
    try (Analyzer analyzer = new EnglishAnalyzer();
        Directory directory = new ByteBuffersDirectory()) {
      index(folder, analyzer, directory);
      rank(folder, args[1], analyzer, directory, Path.of(args[2]));
    }
  }

  private static void index(Path folder, Analyzer analyzer, Directory directory) throws IOException {
    IndexWriterConfig config = new IndexWriterConfig(analyzer).setSimilarity(new BM25Similarity(1.2f, 0.75f));
    try (IndexWriter writer = new IndexWriter(directory, config);
        BufferedReader lines = open(folder.resolve("corpus.jsonl"))) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        JsonNode node = JSON.readTree(line);
        Document document = new Document();
        document.add(new StringField("id", node.get("_id").asText(), Field.Store.YES));
        document.add(new TextField(FIELD, node.path("title").asText() + "\n" + node.path("text").asText(), Field.Store.NO));
        writer.addDocument(document);
      }
      writer.forceMerge(1);
    }
  }

  private static void rank(Path folder, String split, Analyzer analyzer, Directory directory, Path run) throws IOException {
    Set<String> judged = judged(folder.resolve("qrels").resolve(split + ".tsv"));
    QueryBuilder builder = new QueryBuilder(analyzer);
    try (DirectoryReader reader = DirectoryReader.open(directory);
        BufferedReader lines = open(folder.resolve("queries.jsonl"));
        PrintWriter out = new PrintWriter(Files.newBufferedWriter(run))) {
      IndexSearcher searcher = new IndexSearcher(reader);
      searcher.setSimilarity(new BM25Similarity(1.2f, 0.75f));
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        JsonNode node = JSON.readTree(line);
        String id = node.get("_id").asText();
        Query query = builder.createBooleanQuery(FIELD, node.get("text").asText());
        if (!judged.contains(id) || query == null) { // null: only words that are too common
          continue;
        }
        int rank = 1;
        for (ScoreDoc hit : searcher.search(query, DEPTH).scoreDocs) {
          String document = searcher.storedFields().document(hit.doc).get("id");
          out.printf("%s Q0 %s %d %s lucene%n", id, document, rank++, Float.toString(hit.score));
        }
      }
    }
  }

  private static Set<String> judged(Path file) throws IOException {
    Set<String> queries = new HashSet<>();
    try (BufferedReader lines = open(file)) {
      lines.readLine(); // the heading
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        queries.add(line.split("\t")[0]);
      }
    }
    return queries;
  }

  /** Opens a file, plain or compressed. */
  private static BufferedReader open(Path file) throws IOException {
    Path packed = file.resolveSibling(file.getFileName() + ".gz");
    InputStream in = Files.exists(file) ? Files.newInputStream(file) : new GZIPInputStream(Files.newInputStream(packed));
    return new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8));
  }
}
