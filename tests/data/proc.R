# How proc.json beside this file was made: Rscript proc.R > proc.json
suppressMessages(library(pROC))
RNGkind("Mersenne-Twister", "Inversion", "Rejection")
set.seed(26)
digits <- function(x) paste0("[", paste(trimws(formatC(x, digits = 15, format = "g")), collapse = ", "), "]")
designs <- list( # positives, negatives, decimals (for ties), distance
  c(3, 3, 1, 0.5), c(5, 20, 2, 1), c(4, 16, 1, 2.2), c(10, 10, 3, 0.8), c(12, 48, 1, 0.3),
  c(25, 25, 1, 1.5), c(16, 64, 2, 1.2), c(40, 40, 1, 2.8), c(53, 54, 3, 0),
  c(64, 256, 2, 1), c(160, 160, 1, 2), c(200, 120, 3, -0.7))
rows <- sapply(designs, function(d) {
  label <- rep(c(1, 0), d[1:2])
  shared <- rnorm(length(label))
  scores <- lapply(1:2, function(k)
    round(d[4] * label * (0.6 + 0.2 * k) + 0.7 * shared + 0.7 * rnorm(length(label)), d[3]))
  rocs <- lapply(scores, function(s) roc(label, s, levels = c(0, 1), direction = "<", quiet = TRUE))
  r <- rocs[[1]]
  a <- as.numeric(auc(r))
  v <- var(r, method = "delong")
  ci <- as.numeric(ci.auc(r, method = "delong"))
  p <- pROC:::delongPlacements(r)
  m <- d[1]; n <- d[2]; N <- m + n
  # On the logit scale with Student's t; degrees of freedom by O'Neill (2014) from the cases' influence.
  psi <- c((p$X - a) / sqrt(m * (m - 1)), (p$Y - a) / sqrt(n * (n - 1)))
  kurtosis <- N * sum(psi^4) / sum(psi^2)^2
  df <- min(max(2 * N / (kurtosis - (N - 3) / (N - 1)), 1), N - 1)
  logit <- plogis(qlogis(a) + c(-1, 1) * qt(0.975, df) * sqrt(v) / (a * (1 - a)))
  test <- roc.test(rocs[[1]], rocs[[2]], method = "delong", paired = TRUE)
  sprintf(paste0('{"positives": %d, "negatives": %d, "first": %s, "second": %s,\n',
                 ' "found": %s, "delong": %s, "logit": %s}'),
          m, n, digits(scores[[1]]), digits(scores[[2]]),
          digits(c(a, v, test$statistic, test$p.value)), digits(ci[c(1, 3)]), digits(logit))
})
cat(sprintf('{"source": "pROC %s under R %s.%s, by proc.R beside this file", "cases": [\n',
            packageVersion("pROC"), R.version$major, R.version$minor))
cat(paste(rows, collapse = ",\n"), "\n]}\n", sep = "")
