"""The program of the container: `python /app/predict.py --t1 … --output …`."""

from baseline_model.inference import main

if __name__ == "__main__":
    main()
